import { type Page, TestBrowser } from '../../support/browser.ts';
import type { Form } from '../../support/test-app.ts';
import type { RequestKind } from '../disturbances.ts';
import type { World } from '../world.ts';

/** Answers of pages that lead on: shown, or sent elsewhere. */
const statuses = [200, 302, 303];

/** A browser in which every page has to be one that should have come. */
export class WatchedBrowser extends TestBrowser {
  readonly #world: World;

  constructor(world: World) {
    super();
    this.#world = world;
  }

  override async get(url: string): Promise<Page> {
    return this.#watched('page', () => super.get(url));
  }

  override async post(url: string, form: Form): Promise<Page> {
    // The answer to a consent page counts once, which takes the store of such facts.
    return this.#watched(new URL(url).pathname.endsWith('/consent') ? 'consent' : 'page', () => super.post(url, form));
  }

  async #watched(kind: RequestKind, load: () => Promise<Page>): Promise<Page> {
    let page: Page | undefined;
    await this.#world.judge.ask({ kind, statuses }, async () => {
      page = await load();
      const error = /<h1[^>]*>([^<]*)/.exec(page.html)?.[1];
      return { status: page.status, headers: page.response.headers, body: { page: page.url, error } };
    });
    return page as Page;
  }
}
