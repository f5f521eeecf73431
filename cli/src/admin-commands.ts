import type { Command } from '@oclif/core';
import { AdminCommand } from './admin-command.ts';
import { entityCommand } from './entity-command.ts';
import { changeFlags, yesFlag } from './flags.ts';
import {
  changesSomething,
  commandIdOf,
  everyOperation,
  isDestructive,
  namesake,
  type OperationId,
} from './operations.ts';

type AdminCommandClass = Command.Class & typeof AdminCommand;

/**
 * The commands on the admin API: those written by hand, knowing the operations they are made of, and one made from the
 * table for every operation that none of them reaches. So the command line can do whatever the API can.
 */
export const adminCommands = (handWritten: Record<string, Command.Class>): Record<string, Command.Class> => {
  const commands = { ...handWritten };
  for (const [id, command] of Object.entries(handWritten)) if (isAdminCommand(command)) settle(id, command);
  const reached = new Set(Object.values(handWritten).flatMap(operationsOf));
  for (const operation of everyOperation) {
    const id = commandIdOf(operation);
    if (reached.has(operation) || id in commands) continue;
    const command = entityCommand(operation) as AdminCommandClass;
    settle(id, command);
    commands[id] = command;
  }
  return commands;
};

/** Tells a command its operations, when it did not say them because it has the name of one, and gives it their flags. */
const settle = (id: string, command: AdminCommandClass): void => {
  const same = namesake(id);
  if (command.operations.length === 0 && same) command.operations = [same];
  command.flags = {
    ...(isDestructive(command.operations) || command.asks ? yesFlag() : {}),
    ...(changesSomething(command.operations) ? changeFlags() : {}),
    ...command.flags,
  };
};

/** The operations a command of the map may use. */
export const operationsOf = (command: Command.Class): readonly OperationId[] =>
  isAdminCommand(command) ? command.operations : [];

const isAdminCommand = (command: Command.Class): command is AdminCommandClass =>
  command.prototype instanceof AdminCommand;
