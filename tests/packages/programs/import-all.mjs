/** Imports everything named on the command line, as ES modules: `{ version, names: { specifier: number of exports } }`. */

const names = {};
for (const specifier of process.argv.slice(2)) names[specifier] = Object.keys(await import(specifier)).length;
console.log(JSON.stringify({ version: process.version, names }));
