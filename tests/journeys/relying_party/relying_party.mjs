// An application of somebody who knows nothing of us but the standards: npm `openid-client`.
//
// It is told on its input, in one line, what it is. Where a person would open a page it prints
// {"open": address} and reads where the browser came back to; at the end it prints what it saw.

import { createInterface } from 'node:readline';
import * as oidc from 'openid-client';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => JSON.parse((await lines.next()).value);
const print = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

const me = await read();
const config = await oidc.discovery(
  new URL(me.issuer), me.client_id, {}, await proof(), { execute: [oidc.allowInsecureRequests] },
);
const DPoP = me.dpop
  ? oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256')) : undefined;

print(me.grant === 'client_credentials' ? await work() : await logInAndOut());
process.exit(0);

async function proof() {
  if (me.authentication === 'none') return oidc.None();
  if (me.authentication === 'client_secret_basic') return oidc.ClientSecretBasic(me.secret);
  if (me.authentication === 'client_secret_post') return oidc.ClientSecretPost(me.secret);
  const { kid, ...jwk } = me.key;
  const curve = { name: 'ECDSA', namedCurve: 'P-256' };
  const key = await crypto.subtle.importKey('jwk', jwk, curve, false, ['sign']);
  return oidc.PrivateKeyJwt({ key, kid });
}

async function work() {
  const tokens = await oidc.clientCredentialsGrant(config, { scope: me.scope }, { DPoP });
  return { token_type: tokens.token_type, scope: tokens.scope, api: await ask(tokens) };
}

async function logInAndOut() {
  const first = await logIn();
  const { sub } = first.claims();
  const api = await ask(first);
  const person = await oidc.fetchUserInfo(config, first.access_token, sub, { DPoP });
  const second = await refresh(first);
  const active = await introspect(second);
  const reused = await refused(refresh(first));
  const family = await refused(refresh(second));

  const third = await logIn();
  await oidc.tokenRevocation(config, third.refresh_token, { token_type_hint: 'refresh_token' });
  const revoked = await refused(refresh(third));

  const last = await logIn();
  const out = await visit(oidc.buildEndSessionUrl(config, {
    id_token_hint: last.id_token, post_logout_redirect_uri: me.logged_out_uri, state: 'out',
  }));
  return {
    token_type: first.token_type, sub, person: person.sub, scope: first.scope,
    api, rotated: second.refresh_token !== first.refresh_token, active,
    reused, family, revoked, inactive: await introspect(third), out: out.href,
    logged_out: await refused(refresh(last)), afterwards: await refused(logIn('none')),
  };
}

async function logIn(prompt) {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
  const expectedNonce = oidc.randomNonce();
  const expectedState = oidc.randomState();
  const question = {
    redirect_uri: me.redirect_uri, scope: me.scope, state: expectedState, nonce: expectedNonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256', login_hint: me.member, ...(prompt ? { prompt } : {}),
  };
  const address = me.par
    ? await oidc.buildAuthorizationUrlWithPAR(config, question, { DPoP })
    : oidc.buildAuthorizationUrl(config, question);
  const checks = { pkceCodeVerifier, expectedNonce, expectedState, idTokenExpected: true };
  return oidc.authorizationCodeGrant(config, await visit(address), checks, undefined, { DPoP });
}

function refresh(tokens) {
  return oidc.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
}

async function introspect(tokens) {
  // Somebody without a secret may not ask.
  if (me.authentication === 'none') return null;
  return (await oidc.tokenIntrospection(config, tokens.access_token)).active;
}

async function ask(tokens) {
  const answer = await oidc.fetchProtectedResource(
    config, tokens.access_token, new URL('/api/v1/projects', me.issuer), 'GET',
    undefined, undefined, { DPoP },
  );
  return answer.status;
}

async function visit(address) {
  print({ open: address.href });
  return new URL((await read()).url);
}

async function refused(attempt) {
  try {
    await attempt;
  } catch (problem) {
    return problem.error ?? String(problem);
  }
  return 'nothing was refused';
}
