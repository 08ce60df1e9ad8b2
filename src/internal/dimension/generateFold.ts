import { count } from "./Count.ts"
import { fieldsClass } from "./Fields.ts"
import { failedForGood, type Fold, type JointFold, takeOver } from "./Fold.ts"
import { type Labelled, labelOf, type Leaf, type Node, type Struct } from "./Node.ts"
import { mask } from "./Vector.ts"

/**
 * Writes the fold of these dimensions out as source text, once per metric: code
 * of its own lets the engine inline the selectors and steps of this metric, and
 * keep numbers as numbers; a walk over the tree costs several times as much.
 *
 * Returns `undefined` where code generation is forbidden (a content security
 * policy, `--disallow-code-generation-from-strings`).
 */
export const generateFold = (root: Struct): Fold | undefined => {
  const source = new Source()
  const plan = planOf(root, source, "true") as StructPlan
  const { registers } = source
  const isCounted = isCountedBy(plan, source)
  const read = `let skipped=0\n${source.read.join("\n")}`
  const time = someTimed(plan) ? "meta.time" : "0"
  const text = `${distinction()}
class Registers{constructor(){${["skipped", "time", ...registers].map((name) => `this.${name}=0`).join(";")}}}
return {
step(state,event,meta,by){
${read}
if(!(${isCounted}))return undefined
const time=${time}
const owner=by.owner
${writing(source, () => writeRoot(plan, "", source))}
return state
},
registers(){return new Registers()},
read(event,meta,registers){
${read}
${registers.map((name) => `registers.${name}=${name}`).join("\n")}
registers.skipped=skipped
registers.time=${time}
return ${isCounted}
},
write(state,owner,registers){
${writing(source, () => writeRoot(plan, "registers.", source))}
return state
}}`
  const fold = evaluate(text, source) as Fold | undefined
  if (fold !== undefined) generated.set(fold, root)
  return fold
}

/** The expression that says whether the state changes. */
const isCountedBy = (plan: Plan, source: Source): string => `${counts(plan)}||${source.skipped}>0`

/** Which dimensions a generated fold is of. */
const generated = new WeakMap<Fold, Struct>()

/** So many places have a bit of a small integer. */
const mostPlaces = 30

/**
 * Writes the folds of several metrics out as one function: what they read stays
 * in variables until it is written, which a call for each metric could not do.
 * `undefined` where they are not several, or not all of them were generated.
 */
export const generateJointFold = (folds: ReadonlyArray<Fold | undefined>): JointFold<any> | undefined => {
  const roots = folds.map((fold) => fold === undefined ? undefined : generated.get(fold))
  if (roots.length < 2 || roots.length > mostPlaces || roots.includes(undefined)) return undefined
  const source = new Source()
  const own = source.constant("own", takeOver)
  const reads: Array<string> = []
  const written = writing(source, () =>
    roots.map((root, at) => {
      source.skipped = `skipped${at}`
      const start = source.read.length
      const plan = planOf(root!, source, "true") as StructPlan
      reads.push(`let counts${at}=false,skipped${at}=0
try{
${source.read.slice(start).join("\n")}
${someTimed(plan) ? "time=meta.time" : ""}
counts${at}=${isCountedBy(plan, source)}
}catch(defect){
if(!recorder.reducerFailed(places[${at}],event,defect))return ${failedForGood}
}`)
      return `if(counts${at}){
const place=places[${at}],owner=${own}(place)
let state=place.state
${writeRoot(plan, "", source)}
place.state=state
}`
    }).join("\n"))
  const text = `${distinction()}
return function(places,event,meta,recorder){
let time=0
${reads.join("\n")}
${written}
return ${roots.map((_, at) => `(counts${at}?${1 << at}:0)`).join("|")}
}`
  return evaluate(text, source) as JointFold<any> | undefined
}

/** `undefined` where code generation is forbidden, which it may have become since the program began. */
const evaluate = (text: string, source: Source): unknown => {
  try {
    // oxlint-disable-next-line no-implied-eval -- the text holds nothing but numbered names
    return new Function(...source.constants.keys(), text)(...source.constants.values())
  } catch (error) {
    if (error instanceof SyntaxError) throw error
    return undefined
  }
}

let lastText = 0

/** A comment that makes a text another one: the engine learns about equal texts in one place, and inlines less. */
const distinction = (): string => `// ${++lastText}`

/** The parts of the text. Values of the metric's stand in it by numbered names. */
class Source {
  readonly constants = new Map<string, unknown>()
  readonly registers: Array<string> = []
  readonly read: Array<string> = []
  /** The variable that counts the inputs that cannot be taken. */
  skipped = "skipped"
  /** Of each number of labels, the first dimension that is written, for others to be compared with. */
  firsts = new Map<number, First>()
  private last = 0

  name(prefix: string): string {
    return `${prefix}${this.last++}`
  }

  constant(prefix: string, value: unknown): string {
    const name = this.name(prefix)
    this.constants.set(name, value)
    return name
  }

  register(prefix: string): string {
    const name = this.name(prefix)
    this.registers.push(name)
    return name
  }
}

interface LeafPlan {
  readonly _tag: "Leaf"
  readonly node: Leaf
  /** Where the input is; `undefined` where the event itself is. */
  readonly input: string | undefined
  /** The register that says whether it counts; `undefined` where it always does. */
  readonly flag: string | undefined
}

interface LabelledPlan {
  readonly _tag: "Labelled"
  readonly node: Labelled
  readonly labels: ReadonlyArray<string>
  readonly inner: Plan
}

interface StructPlan {
  readonly _tag: "Struct"
  readonly State: string
  readonly fields: ReadonlyArray<Plan>
}

/** What a node reads into which registers. */
type Plan = LeafPlan | LabelledPlan | StructPlan

/** Writes how the node is read, `guard` being the expression that says whether what it stands in counts the event. */
const planOf = (node: Node, source: Source, outer: string): Plan => {
  let guard = outer
  if (node.when !== undefined) {
    guard = node._tag === "Leaf" ? source.register("on") : source.name("on")
    const when = source.constant("when", node.when)
    source.read.push(`var ${guard}=${outer}&&!!${when}(event)`)
  }
  switch (node._tag) {
    case "Leaf":
      return planLeaf(node, source, guard)
    case "Struct":
      return {
        _tag: "Struct",
        State: source.constant("State", fieldsClass(node.fields.length)),
        fields: node.fields.map((field) => planOf(field, source, guard))
      }
    case "Labelled": {
      const inner = planOf(node.inner, source, guard)
      const labels = node.selects.map((select) => {
        const label = source.register("label")
        const of = source.constant("select", select)
        const labelOfName = source.constant("labelOf", labelOf)
        source.read.push(
          `var ${label}=""`,
          `if(${
            counts(inner, "")
          }){${label}=${of}(event);if(typeof ${label}!=="string")${label}=${labelOfName}(${label})}`
        )
        return label
      })
      return { _tag: "Labelled", node, labels, inner }
    }
  }
}

const planLeaf = (node: Leaf, source: Source, guard: string): LeafPlan => {
  if (node.input === "event") {
    if (guard === "true" || source.registers.includes(guard)) {
      return { _tag: "Leaf", node, input: undefined, flag: guard === "true" ? undefined : guard }
    }
    const flag = source.register("on")
    source.read.push(`var ${flag}=${guard}`)
    return { _tag: "Leaf", node, input: undefined, flag }
  }
  const select = source.constant("select", node.select)
  const input = source.register("input")
  const flag = guard !== "true" && source.registers.includes(guard) ? guard : source.register("on")
  if (flag !== guard) source.read.push(`var ${flag}=${guard}`)
  const isNumber = node.input !== "text"
  const nothing = isNumber ? "0" : `""`
  const none = `${flag}=false;${input}=${nothing}`
  const check = isNumber
    ? `if(!Number.isFinite(${input})${node.input === "amount" ? `||${input}<0` : ""})` +
      `{if(${input}!==undefined)${source.skipped}++;${none}}`
    : `if(typeof ${input}!=="string"){if(${input}==null){${none}}` +
      `else ${input}=${source.constant("labelOf", labelOf)}(${input})}`
  source.read.push(`var ${input}=${nothing}`, `if(${flag}){${input}=${select}(event);${check}}`)
  return { _tag: "Leaf", node, input, flag }
}

/** The expression that says whether the node counts the event. */
const counts = (plan: Plan, prefix = ""): string => {
  switch (plan._tag) {
    case "Leaf":
      return plan.flag === undefined ? "true" : `${prefix}${plan.flag}`
    case "Labelled":
      return counts(plan.inner, prefix)
    case "Struct": {
      const fields = Array.from(new Set(plan.fields.map((field) => counts(field, prefix))))
      return fields.includes("true") ? "true" : fields.length === 0 ? "false" : `(${fields.join("||")})`
    }
  }
}

const someTimed = (plan: Plan): boolean => {
  switch (plan._tag) {
    case "Leaf":
      return plan.node.isTimed
    case "Labelled":
      return someTimed(plan.inner)
    case "Struct":
      return plan.fields.some(someTimed)
  }
}

/** What others read of the first dimension by as many labels, while an event is written. */
interface First {
  readonly labels: ReadonlyArray<string>
  /** Variables: its index, and the place there, or -1 while there is none. */
  readonly index: string
  readonly place: string
}

/** Writes one function body, with what its dimensions tell each other. */
const writing = (source: Source, write: () => string): string => {
  source.firsts = new Map()
  const text = write()
  const variables = Array.from(source.firsts.values(), ({ index, place }) => `let ${index},${place}=-1\n`)
  return `${variables.join("")}${text}`
}

/** Writes how the variable `state` is brought up to date; `prefix` is where the inputs are, as variables or in the registers. */
const writeRoot = (plan: StructPlan, prefix: string, source: Source): string =>
  `${writeStruct(plan, "state", prefix, source, false)}
if(${prefix}${source.skipped}>0){${own(plan, "state")};state.skipped+=${prefix}${source.skipped}}`

const write = (plan: Plan, state: string, prefix: string, source: Source, isNested: boolean): string => {
  switch (plan._tag) {
    case "Leaf":
      return writeLeaf(plan, state, prefix, source)
    case "Struct":
      return writeStruct(plan, state, prefix, source, isNested)
    case "Labelled":
      return writeSeries(plan, state, prefix, source, isNested)
  }
}

const writeLeaf = ({ input, node }: LeafPlan, state: string, prefix: string, source: Source): string => {
  if (node.add === count.add) return `${state}=${state}+1`
  const add = source.constant("add", node.add)
  return `${state}=${add}(${state},${input === undefined ? "1" : prefix + input},${prefix}time,owner)`
}

const own = ({ State, fields }: StructPlan, state: string): string => {
  const states = fields.map((_, at) => `,${state}.f${at}`).join("")
  return `if(owner===0||${state}.owner!==owner)${state}=new ${State}(owner,${state}.skipped${states})`
}

const writeStruct = (
  plan: StructPlan,
  state: string,
  prefix: string,
  source: Source,
  isNested: boolean
): string => {
  const fields = plan.fields.map((field, at) => {
    const condition = counts(field, prefix)
    const text = field._tag === "Leaf"
      ? writeLeaf(field, `${state}.f${at}`, prefix, source)
      : writeInner(field, `${state}.f${at}`, prefix, source, isNested)
    return condition === "true" ? `{${text}}` : `if(${condition}){${text}}`
  })
  return [own(plan, state), ...fields].join("\n")
}

const writeInner = (plan: Plan, field: string, prefix: string, source: Source, isNested: boolean): string => {
  const inner = source.name("state")
  return `let ${inner}=${field};${
    write(plan, inner, prefix, source, isNested)
  };if(${inner}!==${field})${field}=${inner}`
}

const writeSeries = (
  { inner, labels, node }: LabelledPlan,
  state: string,
  prefix: string,
  source: Source,
  isNested: boolean
): string => {
  const [place, slots, at, before, after] = ["place", "slots", "at", "before", "after"].map((name) => source.name(name))
  const inputs = labels.map((label) => prefix + label)
  const initial = source.constant("initial", node.inner.initial)
  const lines = [
    `if(owner===0||${state}.owner!==owner)${state}=${state}.ownedBy(owner)`,
    `let ${place}`,
    findPlace(place!, state, inputs, source, isNested),
    `if(${place}===undefined||${place}>=${state}.size)${place}=${state}.admit([${inputs.join()}],${node.limit})`,
    `if(${place}<0)${state}.over++`
  ]
  const first = source.firsts.get(inputs.length)
  if (first === undefined && !isNested) {
    const [index, at] = [source.name("index"), source.name("firstPlace")]
    source.firsts.set(inputs.length, { labels: inputs, index, place: at })
    lines.push(`${index}=${state}.index;${at}=${place}`)
  }
  const step = [
    `const ${slots}=${place}<0?[${state}.other]:${state}.slotsOf(${place},owner)`,
    `const ${at}=${place}<0?0:${place}&${mask},${before}=${slots}[${at}]`,
    `let ${after}=${before}===undefined?${initial}:${before}`,
    write(inner, after!, prefix, source, true),
    // A number that equals the one before may still be another one, a zero without a sign.
    `${
      inner._tag === "Leaf" ? "" : `if(${after}!==${before})`
    }{${slots}[${at}]=${after};if(${place}<0)${state}.other=${after}}`
  ].join("\n")
  lines.push(node.onLimit === "drop" ? `if(${place}>=0){${step}}` : `{${step}}`)
  return lines.join("\n")
}

/**
 * Writes how the place of labels is found. Dimensions and metrics of one event
 * tend to have the same labels: where a first one has found them, its place is
 * what the others are found by, which costs less than to look up texts.
 */
const findPlace = (
  place: string,
  state: string,
  labels: ReadonlyArray<string>,
  source: Source,
  isNested: boolean
): string => {
  const find = labels.length === 1
    ? `find1(${labels[0]})`
    : labels.length === 2
    ? `find2(${labels.join()})`
    : `find([${labels.join()}])`
  const found = `${place}=${state}.index.${find}`
  const first = source.firsts.get(labels.length)
  if (first === undefined || isNested) return found
  const isSame = labels.map((label, at) => `${label}===${first.labels[at]}`).join("&&")
  return `if(${first.place}>=0&&${isSame}){${place}=${state}.index.placesBeside(${first.index})[${first.place}]
if(${place}===undefined){${found};if(${place}!==undefined)${state}.index.learn(${first.index},${first.place},${place})}}else ${found}`
}
