export * from './addresses.ts';
export * from './client.ts';
export * from './errors.ts';
export * from './freshness.ts';
export * from './limiter.ts';
export * from './resolve.ts';
export * from './target.ts';
