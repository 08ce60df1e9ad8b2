import { parseAst } from "vitest/node"

/** A fenced block of TypeScript, or plain JavaScript, in a page or in a comment. */
export interface Block {
  readonly file: string
  /** The line of the opening fence. */
  readonly line: number
  readonly language: "ts" | "js"
  readonly code: string
  /** `false` for a fence that says `no-run`. */
  readonly runs: boolean
}

export const blocksOf = (file: string, text: string): ReadonlyArray<Block> => {
  const blocks: Array<Block> = []
  let open:
    | { readonly line: number; readonly margin: string; readonly fence: string; readonly info: string }
    | undefined
  let code: Array<string> = []
  for (const [index, line] of text.split("\n").entries()) {
    const [, margin = "", fence = "", info = ""] = /^(\s*(?:\* )?)(`{3,})(.*)$/.exec(line) ?? []
    if (open === undefined) {
      if (fence !== "") open = { line: index + 1, margin, fence, info: info.trim() }
      code = []
    } else if (fence !== open.fence || info.trim() !== "") {
      code.push(line.startsWith(open.margin) ? line.slice(open.margin.length) : line.replace(/^\s*\*?\s*/, ""))
    } else {
      if (/^(ts|typescript|tsx|js|javascript)\b/i.test(open.info)) {
        const [, language, noRun] = /^(ts|js)( no-run)?$/.exec(open.info) ?? []
        if (language === undefined) {
          throw new Error(
            `${file}:${open.line}: expected \`ts\`, \`js\`, or one with \`no-run\`, found \`${open.info}\``
          )
        }
        const runs = noRun === undefined
        blocks.push({ file, line: open.line, language: language as Block["language"], code: code.join("\n"), runs })
      }
      open = undefined
    }
  }
  if (open !== undefined) throw new Error(`${file}:${open.line}: the fence is never closed`)
  return blocks
}

/** The code as it stands, on the lines that it has in the documentation, so that errors point there. */
export const verbatim = (block: Block): string => "\n".repeat(block.line) + block.code + "\n"

/**
 * The code with each `// => value` made an expectation. It states the value of
 * the expression statement or the `const` that it stands beside or below, and
 * may go on over further comment lines.
 */
export const withExpectations = (block: Block): string => {
  const program = parseAst(block.code, { lang: block.language })
  const statements = [...statementsOf(program)]
  const lines: Array<number> = []
  let code = ""
  let done = 0
  for (const { 0: comment, index } of block.code.matchAll(/\/\/ => .*(?:\n\s*\/\/.*)*/g)) {
    const line = block.line + block.code.slice(0, index).split("\n").length
    const value = valueOf(comment)
    const end = block.code.slice(0, index).trimEnd().length
    const statement = statements.find((statement) => statement.end === end)
    const subject = statement === undefined ? undefined : subjectOf(statement)
    if (value === undefined || statement === undefined || subject === undefined) {
      throw new Error(
        `${block.file}:${line}: expected an expression, then \`// =>\` and its value, found \`${comment}\``
      )
    }
    const wait = program.body.some((child) => child === statement) ? "await " : ""
    const expectation = `$is(${line}, ${wait}(${block.code.slice(subject.start, subject.end)}), (${value}))`
    code += statement.type === "ExpressionStatement"
      ? block.code.slice(done, subject.start) + expectation
      : `${block.code.slice(done, end)}; ${expectation}`
    done = end
    lines.push(line)
  }
  const helper = JSON.stringify(new URL("./expectations.ts", import.meta.url))
  return `import { expectations } from ${helper}; const $is = expectations(${JSON.stringify(lines)});`
    + verbatim({ ...block, code: code + block.code.slice(done) })
}

type Program = ReturnType<typeof parseAst>
type Statement = Extract<Program["body"][number], { readonly type: "ExpressionStatement" | "VariableDeclaration" }>

function* statementsOf(node: unknown): Generator<Statement> {
  if (typeof node !== "object" || node === null) return
  if ("type" in node && (node.type === "ExpressionStatement" || node.type === "VariableDeclaration")) {
    yield node as Statement
  }
  for (const child of Object.values(node)) yield* statementsOf(child)
}

const subjectOf = (statement: Statement): { readonly start: number; readonly end: number } | undefined => {
  if (statement.type === "ExpressionStatement") return statement.expression
  const [declarator, ...others] = statement.declarations
  return others.length === 0 && declarator?.id.type === "Identifier" ? declarator.id : undefined
}

/** The shortest run of comment lines that is one expression. */
const valueOf = (comment: string): string | undefined => {
  const [first = "", ...others] = comment.split("\n").map((line) => line.replace(/^\s*\/\/ ?(=> )?/, ""))
  let value = ""
  for (const line of [first, ...others]) {
    value = `${value} ${line}`.trim()
    if (isExpression(value)) return value
  }
  return undefined
}

const isExpression = (text: string): boolean => {
  try {
    const [statement] = parseAst(`(${text})`, { lang: "ts", preserveParens: false }).body
    return statement?.type === "ExpressionStatement" && statement.expression.type !== "SequenceExpression"
  } catch {
    return false
  }
}
