/** Alarm names in words, and which number on a card each concerns. */

export type VitalName = "heartRate" | "spo2" | "pressure" | "respiration" | "temperature";

const vitalWords: readonly (readonly [pattern: RegExp, vital: VitalName, label: string])[] = [
  [/^(?:heart_?rate|hr|pulse|tachycardia|bradycardia)/i, "heartRate", "HR"],
  [/^(?:spo2|desaturation|hypoxi?a)/i, "spo2", "SpO₂"],
  [/^(?:systolic|diastolic|bp|blood_?pressure|pressure|map|hypotension|hypertension)/i, "pressure", "BP"],
  [/^(?:resp|rr|apnoea|apnea|tachypn|bradypn)/i, "respiration", "RR"],
  [/^(?:temp|fever|hypothermia|hyperthermia)/i, "temperature", "Temp"],
];

/** `spo2_low` reads "SpO₂ low"; a name of an unknown kind reads as its own words. */
export function labelAlarm(name: string): string {
  const entry = vitalWords.find(([pattern]) => pattern.test(name));
  const level = /_(low|high|critical)$/i.exec(name)?.[1]?.toLowerCase();
  if (entry !== undefined && level !== undefined) return `${entry[2]} ${level}`;
  const words = name.replace(/[_-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The number an alarm is about, where it is about one. */
export function vitalOfAlarm(name: string): VitalName | undefined {
  return vitalWords.find(([pattern]) => pattern.test(name))?.[1];
}
