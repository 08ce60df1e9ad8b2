/** Between two values where it falls between them, so that three rounds have a middle half too. */
export const quantile = (values: ReadonlyArray<number>, q: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const at = q * (sorted.length - 1)
  const [below, above] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!]
  // Also where both are infinite.
  return below === above ? below : below + (above - below) * (at % 1)
}

export const median = (values: ReadonlyArray<number>): number => quantile(values, 0.5)
