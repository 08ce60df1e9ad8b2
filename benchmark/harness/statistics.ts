export const quantile = (values: ReadonlyArray<number>, q: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))]!

export const median = (values: ReadonlyArray<number>): number => quantile(values, 0.5)
