/** Text as a terminal shows it: what it must not be given, and how many columns it takes. */

/**
 * Controls, line breaks, surrogates without their other half, and what changes the
 * direction of text. Not the joiner of emoji, which only joins.
 */
const unsafe = /(?!\u200d)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** The text without anything that a terminal would act upon. */
export const escaped = (text: string): string =>
  text.replace(unsafe, (character) => {
    const hex = character.codePointAt(0)!.toString(16)
    return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, "0")}`
  })

/** The text in quotes, without anything that a terminal would act upon. */
export const quoted = (text: string): string => escaped(JSON.stringify(text))

const narrow = /^[\x20-\x7e]*$/
const invisible = /^[\p{M}\u200d]+$/u
const wide =
  /^(?![\uff61-\uff9f])[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|\p{Emoji}\ufe0f/u

const segmenter = new Intl.Segmenter()

const charactersOf = (text: string): Array<string> => Array.from(segmenter.segment(text), ({ segment }) => segment)

const columnsOf = (character: string): number => invisible.test(character) ? 0 : wide.test(character) ? 2 : 1

/** How many columns a text takes. */
export const widthOf = (text: string): number =>
  narrow.test(text) ? text.length : charactersOf(text).reduce((width, character) => width + columnsOf(character), 0)

/** How many characters of the source may make one column, before they are not looked at any more. */
const mostPerColumn = 16

/** The text, with an ellipsis in its middle where it takes more columns. */
export const fitted = (text: string, columns: number): string => {
  const most = columns * mostPerColumn
  // A label may be a megabyte.
  const isCut = text.length > 2 * most
  if (!isCut && widthOf(text) <= columns) return text
  const characters = charactersOf(isCut ? text.slice(0, most) + text.slice(-most) : text)
  const head = startOf(characters, Math.ceil((columns - 1) / 2))
  const tail = startOf(characters.toReversed(), Math.floor((columns - 1) / 2))
  return `${head.join("")}…${tail.toReversed().join("")}`
}

/** The first characters, as many as have room. */
const startOf = (characters: ReadonlyArray<string>, columns: number): ReadonlyArray<string> => {
  let left = columns
  const end = characters.findIndex((character) => (left -= columnsOf(character)) < 0)
  return end === -1 ? characters : characters.slice(0, end)
}

export const padStart = (text: string, columns: number): string => " ".repeat(columns - widthOf(text)) + text

export const padEnd = (text: string, columns: number): string => text + " ".repeat(columns - widthOf(text))
