/**
 * A browser as far as the protocol knows one: it keeps cookies, does not follow redirects by itself, and can read the
 * forms of a page.
 */
export class TestBrowser {
  readonly cookies = new Map<string, string>();
  readonly headers: Record<string, string>;

  constructor(headers: Record<string, string> = {}) {
    this.headers = { accept: 'text/html', ...headers };
  }

  async get(url: string): Promise<Page> {
    return this.#send(url, {});
  }

  async post(url: string, form: Record<string, string | readonly string[] | undefined>): Promise<Page> {
    const body = new URLSearchParams();
    for (const [name, value] of Object.entries(form))
      for (const one of [value].flat()) if (one !== undefined) body.append(name, one);
    return this.#send(url, { method: 'POST', body });
  }

  async #send(url: string, init: RequestInit): Promise<Page> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, {
      ...init,
      redirect: 'manual',
      headers: { ...this.headers, ...(cookie ? { cookie } : {}) },
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split('; ');
      const [name = '', value = ''] = pair.split('=');
      const gone = attributes.some(
        (attribute) => attribute === 'Max-Age=0' || attribute.startsWith('Expires=Thu, 01 Jan 1970'),
      );
      if (gone || value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return new Page(url, response, await response.text());
  }

  /** Follows redirects from a page as long as they stay on its origin. */
  async follow(page: Page): Promise<Page> {
    let at = page;
    for (let hops = 0; at.location && at.location.origin === new URL(page.url).origin; hops += 1) {
      if (hops > 10) throw new Error('too many redirects');
      at = await this.get(at.location.href);
    }
    return at;
  }
}

export class Page {
  readonly url: string;
  readonly response: Response;
  readonly html: string;

  constructor(url: string, response: Response, html: string) {
    this.url = url;
    this.response = response;
    this.html = html;
  }

  get status(): number {
    return this.response.status;
  }

  /** Where it redirects to, made absolute. */
  get location(): URL | undefined {
    const location = this.response.headers.get('location');
    return location === null ? undefined : new URL(location, this.url);
  }

  /** The value of a hidden field. */
  field(name: string): string {
    const value = new RegExp(`name="${name}" value="([^"]*)"`).exec(this.html)?.[1];
    if (value === undefined)
      throw new Error(`no field ${name} in the page at ${this.url} (${this.status}):\n${this.html}`);
    return value.replaceAll('&amp;', '&').replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<');
  }

  /** The values of all checkboxes of a name. */
  checkboxes(name: string): string[] {
    return [...this.html.matchAll(new RegExp(`<input[^>]*name="${name}"[^>]*value="([^"]*)"`, 'g'))].map(
      (match) => match[1] ?? '',
    );
  }
}
