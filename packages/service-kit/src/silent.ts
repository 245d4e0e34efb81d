/** A store that takes what it is asked and does not answer within its time. */
export class Silent extends Error {
  /** What may be told to anybody: it names no address. */
  readonly told: string;

  constructor(store: string, milliseconds: number) {
    const told = `no answer within ${milliseconds / 1000} s`;
    super(`${store} gives ${told}`);
    this.name = "Silent";
    this.told = told;
  }
}
