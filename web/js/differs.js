/** What a page shows that the chain does not have. `key`: of its text in `texts/badge`, with that text's values. */
export class Differs extends Error {
  constructor(key, values = {}) {
    super(key);
    this.name = "Differs";
    [this.key, this.values] = [key, values];
  }
}
