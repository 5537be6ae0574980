// First import of everything that a person starts with a Node of their own. Written in the JavaScript of Node 12, because
// it must run where nothing else of ratchet can: a module with a newer word in it ends in a stack trace before its first line.
const needed = [20, 11];
const found = process.versions.node.split('.').map(Number);

if (found[0] < needed[0] || (found[0] === needed[0] && found[1] < needed[1])) {
  console.error(
    `Node ${needed.join('.')} or newer is needed, this is ${process.versions.node} (${process.execPath}).\n` +
      '  Fix: install Node 24 (https://nodejs.org/en/download, or: nvm install 24).\n' +
      '       Or have npm bring one for the set-up: npx --yes node@24 infra/setup.mjs, and go on with npm start.',
  );
  process.exit(78);
}
