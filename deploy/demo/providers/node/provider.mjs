// `node provider.mjs PORT FILE`: npm `oidc-provider`, an issuer for each city below a path of its own.
//
// It is the strict kind: it demands PKCE and the client's secret, sends `iss` with its answer, says
// name and address at UserInfo only, asserts how somebody logged in, and notifies of logouts.
import { createHash, generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { interactionPolicy, Provider } from 'oidc-provider';

const HOST = '127.0.0.1';
const FORM_LIMIT = 4000;
const WITH_PASSWORD = 'urn:renkei:demo:password';
const WITH_SECOND_FACTOR = 'urn:renkei:demo:second-factor';

// Whoever is asked for a second factor and logged in without one sees the login page again.
function policy() {
  const base = interactionPolicy.base();
  base.get('login').checks.add(
    new interactionPolicy.Check('weak_session', 'A second factor is asked for', (ctx) => {
      const asked = (ctx.oidc.params.acr_values ?? '').split(' ');
      return asked.includes(WITH_SECOND_FACTOR) && ctx.oidc.session.acr !== WITH_SECOND_FACTOR;
    }),
  );
  return base;
}

function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' };
}

function clientOf(record) {
  return {
    client_id: record.client_id,
    client_secret: record.client_secret,
    redirect_uris: [record.redirect_uri],
    post_logout_redirect_uris: [record.logged_out_uri],
    backchannel_logout_uri: record.backchannel_logout_uri,
    backchannel_logout_session_required: true,
    grant_types: ['authorization_code'],
    response_types: ['code'],
  };
}

// The first of an issuer's records is the city's own; the others are of cities that it serves, too.
function providerOf([city, ...others]) {
  const people = new Map(city.people.map(({ subject, name, email }) => [
    subject, { sub: subject, name, email, email_verified: true },
  ]));
  const provider = new Provider(city.issuer, {
    clients: [city, ...others].map(clientOf),
    claims: { acr: null, amr: null, auth_time: null, openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
    acrValues: [WITH_PASSWORD, WITH_SECOND_FACTOR],
    interactions: { url: (_ctx, { uid }) => `/${city.member}/interaction/${uid}`, policy: policy() },
    cookies: {
      // All cities share an origin, so each has cookies of its own name.
      names: { session: `session_${city.member}`, interaction: `interaction_${city.member}`, resume: `resume_${city.member}` },
      keys: [createHash('sha256').update(city.member + city.client_secret).digest('hex')],
    },
    jwks: { keys: [signingKey()] },
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource: askAboutLogout },
    },
    ttl: { AccessToken: 300, AuthorizationCode: 60, Grant: 3600, IdToken: 300, Interaction: 600, Session: 3600 },
    // Its own fetch refuses addresses of this machine, where the platform is.
    fetch: (url, options) => { delete options.dispatcher; return globalThis.fetch(url, options); },
    async findAccount(_ctx, subject) {
      const claims = people.get(subject);
      return claims && { accountId: subject, claims: () => claims };
    },
    // The city has consented for all its people, so nobody is asked.
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope('openid profile email');
      await grant.save();
      return grant;
    },
  });
  provider.on('server_error', (_ctx, error) => console.error(`Error: ${city.member}: ${error.stack}`));
  provider.on('backchannel.error', (_ctx, error) => console.error(`${city.member}: no logout was sent: ${error.message}`));
  return { city, people, provider, answer: provider.callback() };
}

function page(found, params) {
  const names = [...found.people.keys()].map((name) => `<option value="${name}">`).join('');
  const checked = (params.acr_values ?? '').includes(WITH_SECOND_FACTOR) ? ' checked' : '';
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in: ${found.city.member}</title>
<h1>Sign in at ${found.city.member}</h1><form method="post">
<p><label>Name <input name="login" list="people" required autofocus autocomplete="off"></label></p>
<p><label><input type="checkbox" name="factor" value="second"${checked}> with a second factor</label></p>
<p><button>Sign in</button></p><datalist id="people">${names}</datalist></form></html>`;
}

// Its own page would load fonts from elsewhere.
function askAboutLogout(ctx, form) {
  const button = '<input type="hidden" name="logout" value="yes"><button>Sign out</button>';
  ctx.body = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign out</title>
<h1>Sign out?</h1>${form.replace('</form>', `${button}</form>`)}</html>`;
}

async function formOf(request) {
  let body = '';
  for await (const part of request) {
    body += part;
    if (body.length > FORM_LIMIT) throw new Error('The form is too long.');
  }
  return new URLSearchParams(body);
}

// GET shows the login page; POST ends it, whoever it names, as long as the city knows them.
async function interact(found, request, response) {
  const { params } = await found.provider.interactionDetails(request, response);
  const form = request.method === 'POST' ? await formOf(request) : new URLSearchParams();
  const login = form.get('login') ?? '';
  if (!found.people.has(login)) {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(page(found, params));
    return;
  }
  const isStrong = form.get('factor') === 'second';
  await found.provider.interactionFinished(request, response, {
    login: {
      accountId: login,
      acr: isStrong ? WITH_SECOND_FACTOR : WITH_PASSWORD,
      amr: isStrong ? ['pwd', 'otp'] : ['pwd'],
    },
  }, { mergeWithLastSubmission: false });
}

const [port, file] = process.argv.slice(2);
const records = JSON.parse(readFileSync(file, 'utf8')).filter(({ kind }) => kind === 'node');
const found = new Map([...new Set(records.map(({ issuer }) => issuer))].map((issuer) => {
  const provider = providerOf(records.filter((record) => record.issuer === issuer));
  return [provider.city.member, provider];
}));

createServer((request, response) => {
  const [, first, second] = request.url.split(/[/?]/);
  const city = found.get(first);
  if (['livez', 'readyz'].includes(first)) {
    response.end('ok\n');
  } else if (city === undefined) {
    response.statusCode = 404;
    response.end();
  } else if (second === 'interaction') {
    interact(city, request, response).catch((error) => {
      response.statusCode = 400;
      response.end(`${error.message}\n`);
    });
  } else {
    request.originalUrl = request.url; // what oidc-provider finds its own path by
    request.url = request.url.slice(first.length + 1) || '/';
    city.answer(request, response);
  }
}).listen(Number(port), HOST);

process.on('SIGTERM', () => process.exit(0));
