import type { FastifyPluginAsync } from 'fastify';
import type { Browser } from '../authorization/browser.ts';
import { sendPage } from '../authorization/pages.ts';
import { homePage } from '../views/home.ts';

export type HomeRouteDeps = {
  issuer: string;
  /** Path of the issuer; where the metadata is found follows from it. */
  basePath: string;
  version: string;
  browser: Browser;
  ping: () => Promise<unknown>;
  /** Commands to type next; only shown on a localhost issuer. */
  steps: readonly { title: string; command: string }[];
};

/** The page at `/`: tells a person where they are. */
export const homeRoute: FastifyPluginAsync<HomeRouteDeps> = async (app, deps) => {
  app.get('/', async (request, reply) => {
    const ready = await deps.ping().then(
      () => true,
      () => false,
    );
    const user = ready ? await deps.browser.signedIn(request) : undefined;
    const page = homePage({
      issuer: deps.issuer,
      version: deps.version,
      metadataUrl: `${new URL(deps.issuer).origin}/.well-known/oauth-authorization-server${deps.basePath}`,
      signedInAs: user && (user.email ?? user.userId),
      csrfToken: user?.csrfToken,
      signOutAction: `${deps.basePath}/logout`,
      accountHref: `${deps.basePath}/account`,
      steps: deps.steps,
      ready,
    });
    return sendPage(reply, 200, page);
  });
};
