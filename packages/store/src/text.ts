/**
 * Whether PostgreSQL can hold a text: everything but U+0000. Values arrive from outside; asking PostgreSQL about one it
 * cannot hold would be an error instead of a miss.
 */
export const isText = (value: string): boolean => !value.includes('\u0000');
