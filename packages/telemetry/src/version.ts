/** Version of this release; the same as in every package.json. */
export const version = '0.2.0';
