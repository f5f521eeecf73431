export * from './decide.ts';
export * from './facts.ts';
export * from './verdict.ts';
