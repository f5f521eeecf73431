import { isLocalhostIssuer } from './issuer.ts';
import { type Config, ConfigSchema } from './schema.ts';
import { settingsOf } from './settings.ts';
import { weakSecrets } from './weak-secrets.ts';

/** What is allowed but deserves a line in the log at boot. `dcr.mode` is taken as configured. */
export function configWarnings(config: Config): string[] {
  const { server, session, dcr, oauth, cimd, admin, nats, observability, oidc } = config;
  const { outputs } = observability.logging;
  const open = dcr.mode !== 'admin_only';
  const all: readonly (readonly [is: boolean, warning: string])[] = [
    [
      server.allowed_origins.length === 0,
      'server.allowed_origins is empty: MCP clients that run in a browser cannot connect',
    ],
    [dcr.mode === 'open', 'dcr.mode is open: anyone who can reach the server can register a client'],
    [
      open && oauth.default_client_scope === undefined,
      'oauth.default_client_scope is empty: a self-registered client may ask for every scope',
    ],
    [
      !session.fail_closed,
      'session.fail_closed is false: a disabled user may stay logged in while the database is down',
    ],
    [cimd.allow_private_addresses, 'cimd.allow_private_addresses is true: client ids can point into this network'],
    [
      nats.url.some(isOpenToOthers),
      'nats.url has a nats:// server on another machine: credentials and hints may cross the network in the clear; tls:// insists on TLS',
    ],
    [
      !outputs.stdout && !outputs.otel,
      'observability.logging.outputs.stdout is false, but the log goes nowhere else, so it is written all the same',
    ],
    [
      !oidc.enabled && !oidc.show_local_login,
      'oidc.show_local_login is false and oidc.enabled as well: nobody can sign in',
    ],
    [!admin.enabled, 'admin.enabled is false: nothing can be administered while this runs'],
  ];
  const warnings = all.filter(([is]) => is).map(([, warning]) => warning);
  if (isLocalhostIssuer(server.issuer)) {
    const weak = weakSecrets(config, settingsOf(ConfigSchema));
    warnings.push(...weak.map((key) => `${key} is a well-known value, which is refused off localhost`));
  }
  return warnings;
}

/** A server in the same machine or pod is nobody else's to listen to. */
const isOpenToOthers = (url: string): boolean => {
  const { protocol, hostname } = new URL(url);
  return protocol === 'nats:' && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
};
