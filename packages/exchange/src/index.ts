export { type Budgeted, countedResources, isOver, isUsedUp, spendersOf } from './budgets.ts';
export * from './decide.ts';
export * from './facts.ts';
export * from './missing-consent.ts';
export * from './verdict.ts';
