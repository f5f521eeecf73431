import { httpUrl, listenAddress, origin } from '../checks.ts';
import { isCidr } from '../cidr.ts';
import { duration, list, optionalDuration, section, text } from '../leaf.ts';

const listen = (fallback: string) => text(fallback, listenAddress, 'address');

export const server = section({
  issuer: text('http://localhost:9000', httpUrl, 'url').describe(
    'Public base URL and the `iss` of every token (RFC 8414 §2). May have a path; https off localhost.',
  ),
  address: listen(':9000').describe('Listen address of the public endpoints.'),
  internal_address: listen(':9002').describe(
    'Listen address of `/metrics` and health in a process that runs only the token role.',
  ),
  data_dir: text('data').describe(
    'Directory for what `serve` generates on localhost: session secret and admin API key.',
  ),
  read_timeout: duration('30s').describe(
    'Time a client may take to send a request; 0 is no limit. Its headers must be there within 15 s in any case.',
  ),
  write_timeout: duration('30s').describe(
    'Time a response may take to begin, and each part of it to be taken; 0 is no limit.',
  ),
  idle_timeout: duration('120s').describe('Time a connection may stay open without a request.'),
  shutdown_wait: duration('10s').describe('Time from SIGTERM to the end, `drain_delay` included.'),
  drain_delay: optionalDuration().describe(
    'Time the ports stay open after `/ready` has said no, so that balancers notice. Unset: none on localhost, elsewhere 5 s, at most half of `shutdown_wait`.',
  ),
  allowed_origins: list(['*'], origin).describe(
    'Origins that may call the protocol endpoints from a browser. Credentials are never allowed. Empty: none.',
  ),
  trusted_proxies: list([], (value) =>
    isCidr(value) ? undefined : 'expected addresses or CIDR ranges such as 10.0.0.0/8',
  ).describe('Proxies (CIDR) whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.'),
});
