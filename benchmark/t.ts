const [file, name] = process.argv.slice(2)
const { default: q } = await import(file!)
console.log(name, JSON.stringify(await q.cases[name!].run({ time: 300, warmup: 150, short: false })))
