/**
 * Installs what tests need beyond npm: Chromium, nginx, and Python's WebSocket library, by apt-get, where this runs as
 * root on Debian. Elsewhere it says what is missing; suites that need it then skip and say so (with CI=true they fail).
 */

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const wanted = [
  { file: "/usr/bin/chromium", package: "chromium" },
  { file: "/usr/sbin/nginx", package: "nginx" },
  { file: "/usr/lib/python3/dist-packages/websockets/__init__.py", package: "python3-websockets" },
];
const missing = wanted.filter(({ file }) => !existsSync(file));

if (missing.length === 0) {
  console.log("setup: everything is here");
} else {
  const names = missing.map((one) => one.package);
  const canInstall = process.getuid?.() === 0 && existsSync("/etc/debian_version");
  if (!canInstall) {
    console.warn(`setup: missing ${names.join(", ")}; install as root on Debian: apt-get install ${names.join(" ")}`);
  } else {
    // RUNLEVEL=1 keeps invoke-rc.d from starting what is installed: the tests start their own nginx.
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
    const apt = (...args) => execFileSync("apt-get", ["-q", ...args], { stdio: "inherit", env });
    // The lists a machine came with may be old or empty.
    if (spawnSync("apt-get", ["-q", "update"], { stdio: "inherit", env }).status !== 0)
      console.warn("setup: apt-get update failed");
    apt("install", "-y", "--no-install-recommends", ...names);
    console.log(`setup: installed ${names.join(", ")}`);
  }
}
