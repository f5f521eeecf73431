export type Clock = { now(): Date };

export const after = (start: Date, seconds: number): Date => new Date(start.getTime() + seconds * 1000);
export const earlier = (left: Date, right: Date): Date => (left < right ? left : right);
