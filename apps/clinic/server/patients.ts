/** Who lies where. Two tenants have wards of the same names and nothing else in common. */

export const wardIds = ["icu", "er"] as const;
export type WardId = (typeof wardIds)[number];

export interface Patient {
  /** Unique over all tenants. */
  readonly id: string;
  readonly tenant: string;
  readonly name: string;
  readonly ward: WardId;
  readonly bed: string;
}

export interface Patients {
  readonly all: readonly Patient[];
  inWard(tenant: string | undefined, ward: string): readonly Patient[];
  /** A patient of that tenant, or undefined. */
  find(tenant: string | undefined, id: string): Patient | undefined;
}

export function isWardId(name: string): name is WardId {
  return (wardIds as readonly string[]).includes(name);
}

const names: Readonly<Record<string, Readonly<Record<WardId, readonly string[]>>>> = {
  general: {
    icu: ["Amara Okafor", "Benedikt Huber", "Chiara Conti", "Daniel Novak", "Elif Yilmaz", "Farid Rahimi"],
    er: ["Greta Lindqvist", "Hugo Moreau", "Ines Carvalho", "Jonas Weber", "Keiko Tanaka", "Liam Byrne"],
  },
  annex: {
    icu: ["Marta Kowalska", "Nils Berg", "Olivia Grant"],
    er: ["Paolo Rinaldi", "Quyen Tran", "Rosa Delgado"],
  },
};

/** The demo's patients, always the same ones. */
export function createPatients(): Patients {
  const all = Object.entries(names).flatMap(([tenant, wards]) =>
    wardIds.flatMap((ward) =>
      wards[ward].map((name, index) => ({
        id: `${tenant}-${ward}-${index + 1}`,
        tenant,
        name,
        ward,
        bed: `${ward.toUpperCase()}-${index + 1}`,
      })),
    ),
  );
  const byId = new Map(all.map((patient) => [patient.id, patient]));
  return {
    all,
    inWard: (tenant, ward) => all.filter((patient) => patient.tenant === tenant && patient.ward === ward),
    find(tenant, id) {
      const patient = byId.get(id);
      return patient?.tenant === tenant ? patient : undefined;
    },
  };
}
