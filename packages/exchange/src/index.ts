export * from './decide.ts';
export * from './facts.ts';
export * from './missing-consent.ts';
export * from './verdict.ts';
