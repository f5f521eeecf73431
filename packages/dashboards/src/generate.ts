import { changeFeed } from './change-feed.ts';
import { federation } from './federation.ts';
import { operations } from './operations.ts';
import { overview } from './overview.ts';
import { runbooks } from './runbooks.ts';
import { security } from './security.ts';
import { tokens } from './tokens.ts';

export const dashboards = {
  overview,
  security,
  tokens,
  operations,
  federation,
  'change-feed': changeFeed,
};

/** The files that Grafana is provisioned with. */
export const generate = async (): Promise<{ path: string; text: string }[]> => {
  const files = (folder: string, all: Record<string, unknown>) =>
    Object.entries(all).map(([name, dashboard]) => ({
      path: `deploy/grafana/${folder}/${name}.json`,
      text: `${JSON.stringify(dashboard, null, 2)}\n`,
    }));
  return [...files('dashboards', dashboards), ...files('runbooks', runbooks())];
};
