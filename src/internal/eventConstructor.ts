/** One field of an event class. An optional field that is absent stays absent. */
export interface FieldPlan {
  readonly name: string
  readonly optional: boolean
}

type EventConstructor = new(fields?: object) => object

/**
 * Writes the constructor out as source text, once per class: assigning known
 * names to `this` costs what a hand-written class costs, while a loop over the
 * names costs five times as much.
 *
 * Returns `undefined` where code generation is forbidden (a content security
 * policy, `--disallow-code-generation-from-strings`).
 */
export const generateConstructor = (tag: string, fields: ReadonlyArray<FieldPlan>): EventConstructor | undefined => {
  const assignments = fields.map(({ name, optional }) => {
    const key = JSON.stringify(name)
    const assignment = `this[${key}]=fields[${key}]`
    return optional ? `if(fields[${key}]!==undefined)${assignment}` : assignment
  })
  const allOptional = fields.every((field) => field.optional)
  const parameter = fields.length === 0 ? "" : allOptional ? "fields={}" : "fields"
  const body = [`this._tag=${JSON.stringify(tag)}`, ...assignments].join(";")
  try {
    // oxlint-disable-next-line no-implied-eval -- the text holds nothing but JSON string literals
    return new Function(`return class Event{constructor(${parameter}){${body}}}`)() as EventConstructor
  } catch {
    return undefined
  }
}

/** The same constructor where code generation is forbidden: a loop over the names. */
export const interpretConstructor = (tag: string, fields: ReadonlyArray<FieldPlan>): EventConstructor =>
  class Event {
    constructor(input: object = {}) {
      const self = this as Record<string, unknown>
      const given = input as Record<string, unknown>
      self._tag = tag
      for (const { name, optional } of fields) {
        const value = given[name]
        if (!optional || value !== undefined) self[name] = value
      }
    }
  }
