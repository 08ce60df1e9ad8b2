export * from "./gates/saves.ts"
