// Installs the packages of the lock file. Does nothing if they are installed, so `npm start` works offline.
import { spawnSync } from 'node:child_process';

// Uses a shell, because npm is a .cmd file on Windows. `npm ls` fails if a package is missing or differs.
const npm = (command, stdio) => spawnSync(`npm ${command}`, { cwd: import.meta.dirname, shell: true, stdio }).status;

if (npm('ls', 'ignore') !== 0) process.exitCode = npm('ci', 'inherit') ?? 1;
