// Node.js needs the extensions of modules. Bundlers do not.
export default { output: { path: "client", module: { extension: ".js" } } };
