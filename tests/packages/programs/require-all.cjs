/** The same from CommonJS, with `require`. */

const names = {};
for (const specifier of process.argv.slice(2)) names[specifier] = Object.keys(require(specifier)).length;
console.log(JSON.stringify({ version: process.version, names }));
