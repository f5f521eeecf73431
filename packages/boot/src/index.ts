export * from './change-feed.ts';
export * from './checks.ts';
export * from './data-cipher.ts';
export * from './key-store.ts';
export * from './notes.ts';
export * from './prepare.ts';
export * from './run-process.ts';
export * from './run-service.ts';
