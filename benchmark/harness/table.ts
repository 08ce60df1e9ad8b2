/** How results are printed. */
import type { Unit } from "./Question.ts"
import type { Comparison, Measured, QuestionResults } from "./Results.ts"
import { median, quantile } from "./statistics.ts"

export const show = (value: number, unit: Unit): string => {
  const digits = unit === "x" ? 2 : Math.abs(value) >= 100 || unit === "B" ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return `${value.toFixed(digits)}${unit === "x" ? "x" : ` ${unit}`}`
}

/**
 * Half of the range of the middle half of the rounds, in percent of the median: with
 * five rounds about the standard error of that.
 */
const spread = ({ rounds }: Measured): string => {
  const half = (quantile(rounds, 0.75) - quantile(rounds, 0.25)) / 2
  return rounds.length === 1 || median(rounds) === 0 ? "" : `±${Math.round(half / Math.abs(median(rounds)) * 100)}%`
}

/** Nothing for ratios, which say that already, and for what is around nothing. */
const times = (measured: Measured, first: Measured | undefined): string => {
  if (measured.unit === "x" || first === undefined || median(measured.rounds) <= 0 || median(first.rounds) <= 0) {
    return ""
  }
  const value = median(measured.rounds) / median(first.rounds)
  return `${value.toFixed(value >= 10 ? 0 : value >= 0.995 ? 1 : value >= 0.0995 ? 2 : 3)}x`
}

/** A question: a row for each case, and beside each reading how many times that of the first case it is. */
export const questionTable = (name: string, { cases, claims, title }: QuestionResults): string => {
  const rows = Object.entries(cases)
  const [reference] = rows
  const columns = Array.from(new Set(rows.flatMap(([, { readings }]) => Object.keys(readings))))
  const cells = rows.map(([, { readings }], row) =>
    columns.map((column) => {
      const measured = readings[column]
      if (measured === undefined) return ["", "", ""]
      const factor = row === 0 ? "" : times(measured, reference![1].readings[column])
      return [show(median(measured.rounds), measured.unit), spread(measured), factor]
    })
  )
  const width = Math.max(...rows.map(([of]) => of.length), 20)
  const widths = columns.map((column) => Math.max(24, column.length + 2))
  const line = (head: string, texts: ReadonlyArray<string>): string =>
    `  ${head.padEnd(width)}${texts.map((text, at) => text.padStart(widths[at]!)).join("")}`.trimEnd()
  const cheaper = rows.flatMap(([of, { kind, readings }]) => {
    if (kind === "product") return []
    const won = columns.filter((column) => {
      const first = reference![1].readings[column]
      return first !== undefined && readings[column] !== undefined &&
        median(readings[column].rounds) < median(first.rounds)
    })
    return won.length === 0
      ? []
      : [`  below ${reference![0]}: ${of}${columns.length === 1 ? "" : ` (${won.join("; ")})`}`]
  })
  return [
    "",
    `${name}: ${title}`,
    line("", columns),
    ...rows.map(([of], row) =>
      line(of, cells[row]!.map(([value, spread, factor]) => `${value} ${spread!.padStart(5)} ${factor!.padStart(6)}`))
    ),
    ...cheaper,
    ...claims.map(claimLine)
  ].join("\n")
}

export const claimLine = ({ atMost, claim, holds, rounds, unit }: QuestionResults["claims"][number]): string => {
  const range = rounds.length > 1 ? `(${show(Math.min(...rounds), unit)} - ${show(Math.max(...rounds), unit)})` : ""
  return `  ${holds ? "holds " : "MISSED"} ${show(median(rounds), unit).padStart(9)} ${range.padEnd(22)} at most ${
    show(atMost, unit).padEnd(9)
  } ${claim}`
}

export const comparisonLines = ({ changed, count, left, machine, slower }: Comparison): string =>
  [
    "",
    ...changed.map(([what, before, after]) => `Not as it was: ${what}, ${before} then, ${after} now.`),
    `Peers and floors took ${machine.toFixed(2)}x what they took then; our times are compared with that taken off.`,
    ...left === 0 ? [] : [`${left} of our readings are of too few rounds to be compared.`],
    slower.length === 0
      ? `None of ${count} readings of ours got slower or larger beyond the noise.`
      : `${slower.length} of ${count} readings of ours got slower or larger beyond the noise:`,
    ...slower.map(({ after, before, factor, unit, what }) =>
      `  SLOWER ${factor.toFixed(2)}x  ${what}: ${show(before, unit)} then, ${show(after, unit)} now`
    )
  ].join("\n")
