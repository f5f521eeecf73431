import type { Config } from '@authserver/config';
import type { DataCipher } from '@authserver/encryption';
import type { Handlers } from '../handlers/handler.ts';
import type { Kind } from './kind.ts';
import { clientKind } from './kinds/clients.ts';
import { frontingLinkKind } from './kinds/fronting-links.ts';
import { idpKind } from './kinds/idps.ts';
import { providerKind } from './kinds/providers.ts';
import { resourceKind } from './kinds/resources.ts';
import { subjectMappingKind } from './kinds/subject-mappings.ts';
import { userKind } from './kinds/users.ts';
import { xaaPolicyKind } from './kinds/xaa-policies.ts';

/** Every kind of object that files may declare, each after those it refers to. */
export const declarableKinds = (deps: {
  handlers: Omit<Handlers, 'configuration'>;
  config: Config;
  cipher: DataCipher | undefined;
}): readonly Kind[] => [
  clientKind(deps),
  userKind(deps),
  providerKind(deps),
  resourceKind(deps),
  frontingLinkKind(deps),
  idpKind(deps),
  xaaPolicyKind(deps),
  subjectMappingKind(deps),
];
