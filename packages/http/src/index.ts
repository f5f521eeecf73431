export * from './form.ts';
export * from './health.ts';
export * from './listen.ts';
export * from './metrics.ts';
export * from './oauth-errors.ts';
export * from './problems.ts';
export * from './server.ts';
