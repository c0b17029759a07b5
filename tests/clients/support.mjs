// A person who signs in without a browser: cookies kept, redirects followed, forms sent.

export { startDemo } from '../demo.mjs';

const unescape = (text) =>
  text.replaceAll('&#x2f;', '/').replaceAll('&#x27;', "'").replaceAll('&quot;', '"').replaceAll('&amp;', '&');

/**
 * Opens a URL of the provider in a browser (its cookies; a new one without), signs in as alice and allows where that is
 * asked; answers the address outside the provider at which it ends.
 */
export async function browse(demo, url, cookies = new Map()) {
  const request = async (target, options = {}) => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(target, { redirect: 'manual', ...options, headers: { ...options.headers, cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    return response;
  };
  let at = new URL(url);
  let response = await request(at);
  for (let steps = 0; steps < 20; steps += 1) {
    if (response.status === 303) {
      at = new URL(response.headers.get('location'), at);
      if (at.origin !== demo.issuer) return at;
      response = await request(at);
      continue;
    }
    const page = await response.text();
    const token = /name="_step" value="([^"]*)"/.exec(page);
    if (!token) throw new Error(`${response.status} at ${at}:\n${page}`);
    const fields = { _step: unescape(token[1]) };
    if (page.includes('name="password"')) Object.assign(fields, { login: 'alice', password: 'demo-alice-123' });
    else fields.decision = 'allow';
    response = await request(at, {
      method: 'POST',
      headers: { origin: demo.issuer },
      body: new URLSearchParams(fields),
    });
  }
  throw new Error('too many steps');
}
