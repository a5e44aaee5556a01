// Lets the client find `openclaw/plugin-sdk/*`, of which only `host.mjs` is here.

const HOST = new URL('./host.mjs', import.meta.url).href;

export async function resolve(name, context, next) {
  if (name.startsWith('openclaw/plugin-sdk/')) return { url: HOST, shortCircuit: true };
  return next(name, context);
}
