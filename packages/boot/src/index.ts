export * from './change-feed.ts';
export * from './data-cipher.ts';
export * from './key-store.ts';
export * from './prepare.ts';
