import type { Config } from '@authserver/config';
import type { NatsTrouble } from '@authserver/events';
import { type Finding, ok, problem, warning } from './finding.ts';

/** Whether NATS can be reached, and whether these credentials allow what a plane needs of it and no more. */
export const lookAtNats = async ({ nats, admin }: Config): Promise<Finding[]> => {
  if (nats.url.length === 0) return [];
  const [{ placesOf }, { examineNats }] = await Promise.all([
    import('@authserver/events'),
    import('@authserver/events/nats'),
  ]);
  const servers = placesOf(nats);
  const found = await examineNats(nats, 'authserver doctor');
  if (found.trouble !== undefined) {
    const [detail, remedy] = troubles[found.trouble];
    return [problem('NATS', `${servers} ${detail}`, remedy)];
  }
  const subjects = `${nats.subject_prefix}.changes.*`;
  const findings = [ok('NATS', `version ${found.version} answers${found.tls ? ', over TLS' : ''}`)];
  if (!found.maySubscribe)
    findings.push(problem('NATS', `may not subscribe to ${subjects}`, 'pods need it: see docs/change-feed.md'));
  if (admin.enabled && !found.mayPublish)
    findings.push(
      warning('NATS', `may not publish to ${subjects}`, 'right for a token pod, but a control plane needs it'),
    );
  if (!admin.enabled && found.mayPublish)
    findings.push(
      warning(
        'NATS',
        `a token pod may publish to ${subjects}`,
        'give pods a user that may only subscribe (deploy/nats)',
      ),
    );
  if (findings.length === 1)
    findings.push(ok('NATS', `may ${found.mayPublish ? 'publish and subscribe to' : 'only subscribe to'} ${subjects}`));
  return findings;
};

const meanwhile = 'meanwhile changes travel by PostgreSQL alone';

const troubles: Record<NatsTrouble, readonly [detail: string, remedy: string]> = {
  unreachable: ['cannot be reached', `see nats.url; ${meanwhile}`],
  unauthorized: ['refuses the credentials', `see nats.user, nats.token and nats.credentials; ${meanwhile}`],
  forbidden: ['does not permit the subjects', `see deploy/nats/users.conf; ${meanwhile}`],
  tls: ['cannot be spoken to over TLS', `see nats.tls.* and the certificate of the server; ${meanwhile}`],
  lost: ['ended the connection at once', `see the log of nats-server; ${meanwhile}`],
};
