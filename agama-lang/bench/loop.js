// The logic of loop.flow.
function run(rounds) {
  const m = { key: 0, list: [1, 2, 3] };
  const k = "key";
  let x = 0;
  for (let i = 0; i < rounds; i++) {
    x = m.key;
    m.key = i;
    const y = m.list[1];
    if (y === null) throw new Error("never");
    m[k] = y;
  }
  return true;
}
