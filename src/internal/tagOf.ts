/** The tag that the instances of an event class have, where the class lets it be read. */
export const tagOf = (eventClass: unknown): string | undefined => {
  const { fields, tag } = eventClass as { readonly tag?: unknown; readonly fields?: Record<string, any> }
  const found = tag ?? fields?.["_tag"]?.schema?.literal
  return typeof found === "string" ? found : undefined
}
