export * from './data-cipher.ts';
