/** What type tests are made of: a line that compiles only when the claim holds. */

/** `type _ = Expect<Equal<A, B>>`: does not compile unless A and B are the same type. */
export type Expect<Claim extends true> = Claim;

/** Whether two types are the same, `any` and readonly included. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

export type IsAny<T> = 0 extends 1 & T ? true : false;
export type IsNotAny<T> = IsAny<T> extends true ? false : true;
export type IsUnknown<T> = IsAny<T> extends true ? false : unknown extends T ? true : false;

/** Whether `any` hides anywhere in a type: itself, its members, its elements, its functions' parts. */
export type HasAny<T, Depth extends readonly 0[] = []> = Depth["length"] extends 6
  ? false
  : IsAny<T> extends true
    ? true
    : T extends (...args: infer Args) => infer Result
      ? true extends HasAny<Args, [...Depth, 0]> | HasAny<Result, [...Depth, 0]>
        ? true
        : false
      : T extends object
        ? true extends { [Name in keyof T]: HasAny<T[Name], [...Depth, 0]> }[keyof T]
          ? true
          : false
        : false;
export type HasNoAny<T> = HasAny<T> extends true ? false : true;
