export * from './catalogue.ts';
export * from './feed.ts';
export * from './notify.ts';
