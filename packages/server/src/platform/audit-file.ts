/** Audit records in a file that is only appended to, and that only its owner may read. */

import { closeSync, constants, fstatSync, openSync, readSync, write, type Stats } from "node:fs";
import { auditLines, type AuditLinesOptions, type AuditSink, type AuditWritable } from "./audit-lines.js";

/** For the owner alone. */
const MODE = 0o600;
const OTHERS = 0o077;
const LINE_FEED = 0x0a;

/**
 * Opens the file, or makes it with mode 0600. What was written survives the process; what the kernel holds does not
 * survive the machine. Truncating it in place is fine at any time, renaming it is not heard of.
 * @throws Error at once: of the file system; or for what is no file, or one that others than its owner may read or write
 */
export function auditFile(path: string, options: AuditLinesOptions = {}): AuditSink {
  const { O_APPEND, O_CREAT, O_RDWR } = constants;
  // Of a named pipe, opening would wait for a reader.
  const file = openSync(path, O_APPEND | O_CREAT | O_RDWR | constants.O_NONBLOCK, MODE);
  let lines: AuditSink;
  try {
    const stats = fstatSync(file);
    assertOwn(path, stats);
    lines = auditLines(appendTo(file, endsTorn(file, stats)), options);
  } catch (error) {
    closeSync(file);
    throw error;
  }
  let closing: Promise<void> | undefined;
  return {
    record: (record) => lines.record(record),
    get lost() {
      return lines.lost;
    },
    close: () => (closing ??= lines.close().finally(() => closeSync(file))),
  };
}

function assertOwn(path: string, stats: Stats): void {
  if (!stats.isFile()) throw new Error(`auditFile: ${path} is no file; for a stream there is auditLines`);
  const isShared = process.platform !== "win32" && (stats.mode & OTHERS) !== 0;
  if (isShared) throw new Error(`auditFile: ${path} may be used by others than its owner; its mode must be 0600`);
}

/** Whether the process that wrote last was ended in the middle of a line. */
function endsTorn(file: number, { size }: Stats): boolean {
  if (size === 0) return false;
  const last = Buffer.alloc(1);
  readSync(file, last, 0, 1, size - 1);
  return last[0] !== LINE_FEED;
}

function appendTo(file: number, wasTorn: boolean): AuditWritable {
  let isTorn = wasTorn;

  function writeFrom(bytes: Buffer, offset: number, done: (error?: Error | null) => void): void {
    write(file, bytes, offset, bytes.length - offset, null, (error, written) => {
      if (error === null && offset + written < bytes.length) return writeFrom(bytes, offset + written, done);
      // A disk that is full has taken a part: the next line must not go on in the middle of it.
      isTorn = error !== null && (isTorn || offset > 0);
      done(error);
    });
  }

  return {
    write(text, done) {
      writeFrom(Buffer.from(isTorn ? `\n${text}` : text), 0, done);
    },
  };
}
