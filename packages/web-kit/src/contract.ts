// Reads this process's environment by contract.json, the one home of names, defaults and types.

export type Variable = {
  name: string;
  type: string;
  required: boolean;
  default: string | null;
  secret: boolean;
  minLength: number | null;
  values: string[];
  description: string;
};

export type Contract = { service: string; port: number; variables: Variable[] };

export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment does not fulfil the contract. `message` is one line that names everything missing or invalid, and no value. */
export class ConfigError extends Error {}

/** The contract's variables by name, defaults filled in; an empty value counts as missing. Throws `ConfigError`. */
export function readEnvironment(contract: Contract, environment: Environment): Record<string, string> {
  const values: Record<string, string> = {};
  const problems: string[] = [];
  for (const variable of contract.variables) {
    const value = environment[variable.name] || variable.default;
    if (value === null || isEmpty(variable, value)) {
      if (variable.required) problems.push(`${variable.name} is required (${variable.description})`);
      values[variable.name] = "";
      continue;
    }
    const problem = check(variable, value);
    if (problem) problems.push(`${variable.name} ${problem}`);
    values[variable.name] = value;
  }
  if (problems.length > 0) throw new ConfigError(`${contract.service}: cannot start: ${problems.join("; ")}`);
  return values;
}

// What the types accept is one specification, with examples that every reader runs: packages/contract/README.md.
function check(variable: Variable, value: string): string | undefined {
  if (variable.minLength !== null && [...value].length < variable.minLength) {
    return `must have ${variable.minLength} characters or more`;
  }
  switch (variable.type) {
    case "url":
      return isUrl(value) ? undefined : "must be a URL";
    case "int":
      return /^-?[0-9]{1,15}$/.test(value) ? undefined : "must be a whole number";
    case "port":
      return isPort(value) && Number(value) >= 1 ? undefined : "must be a port number, 1 to 65535";
    case "duration":
      return isDuration(value) ? undefined : "must be a duration such as 15m, 12h or 7d";
    case "bool":
      return value === "true" || value === "false" ? undefined : "must be true or false";
    case "enum":
      return variable.values.includes(value) ? undefined : `must be one of ${variable.values.join(", ")}`;
    default:
      return undefined;
  }
}

function isEmpty({ type }: Variable, value: string): boolean {
  return value === "" || (type === "list" && !/[^ \t,]/.test(value));
}

function isPort(value: string): boolean {
  return /^[0-9]{1,5}$/.test(value) && Number(value) <= 65535;
}

const URL_FORM =
  /^[A-Za-z][A-Za-z0-9+.-]*:\/\/(?:[^\s/?#@]*@)?(?:[^\s/?#@:[\]]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(?:[/?#]\S*)?$/;

function isUrl(value: string): boolean {
  const match = URL_FORM.exec(value);
  return match !== null && (match[1] === undefined || isPort(match[1]));
}

const UNITS = new Map(Object.entries({ ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 }));
const LONGEST = 36_500 * 864e5;

function isDuration(value: string): boolean {
  if (!/^([0-9]{1,9}(ms|s|m|h|d|w))+$/.test(value)) return false;
  let total = 0;
  for (const [, amount, unit] of value.matchAll(/([0-9]+)(ms|s|m|h|d|w)/g)) {
    total += Number(amount) * (UNITS.get(unit ?? "") ?? 0);
  }
  return total >= 1_000 && total <= LONGEST;
}
