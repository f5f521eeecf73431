export * from './audit.ts';
export * from './catalogue.ts';
export * from './ledger.ts';
export * from './logger.ts';
export * from './metrics.ts';
export * from './request-log.ts';
export * from './version.ts';
