// Runs the npm package oidc-provider with the accounts and clients that its first argument holds, as JSON.
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const given = JSON.parse(process.argv[2]);
const here = createRequire(path.join(given.root, "package.json"));
const { default: Provider } = await import(pathToFileURL(here.resolve("oidc-provider")).href);

const provider = new Provider(given.issuer, {
  clients: given.clients,
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "groups"] },
  // Whoever types an account's name in the development form of the package is signed in as it.
  findAccount: (_context, id) =>
    given.accounts[id] && { accountId: id, claims: async () => ({ sub: `sub-${id}`, ...given.accounts[id] }) },
  cookies: { keys: ["only for tests"] },
  ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
});
provider.listen(new URL(given.issuer).port, "127.0.0.1", () => console.log("ready"));
