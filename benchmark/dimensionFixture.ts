export * from "./gates/labels.ts"
