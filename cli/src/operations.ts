/** Which operations of the admin API a command is made of, and what follows from that for its flags. */
import { type Entities, entities, isChange, type Operation } from '@authserver/admin-api';

/** `client.rotateSecret`: the entity and the operation, as in the table. */
export type OperationId = {
  [E in keyof Entities]: `${E}.${keyof Entities[E]['operations'] & string}`;
}[keyof Entities];

export const everyOperation: readonly OperationId[] = Object.entries(entities).flatMap(([entity, { operations }]) =>
  Object.keys(operations).map((verb) => `${entity}.${verb}` as OperationId),
);

export const operationOf = (id: OperationId): Operation => {
  const [entity = '', verb = ''] = id.split('.');
  const found = (entities as Record<string, { operations: Record<string, Operation> }>)[entity]?.operations[verb];
  if (!found) throw new Error(`there is no operation ${id}`);
  return found;
};

/** `client.rotateSecret` becomes `admin:client:rotate-secret`. */
export const commandIdOf = (id: OperationId): string =>
  `admin:${id.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replace('.', ':')}`;

/** The operation whose name the command has, if there is one. */
export const namesake = (commandId: string): OperationId | undefined =>
  everyOperation.find((id) => commandIdOf(id) === commandId);

export const changesSomething = (ids: readonly OperationId[]): boolean => ids.some((id) => isChange(operationOf(id)));

const endings = /\.(delete|revoke|retire|prune|purge|force)/;

/** What it does cannot be taken back. */
export const isDestructive = (ids: readonly OperationId[]): boolean =>
  ids.some((id) => operationOf(id).method === 'DELETE' || endings.test(id));
