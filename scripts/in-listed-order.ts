/**
 * Files start project by project, in the order in which the configuration lists the projects (Vitest alone goes by
 * their names). So long waits begin first, and what is short fills the cores at the end.
 */

import { BaseSequencer, type TestSpecification } from "vitest/node";

export default class InListedOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { projects } = this.ctx;
    const place = ({ project }: TestSpecification): number =>
      project.config.sequence.groupOrder * projects.length + projects.indexOf(project);
    // Within a project as Vitest has them: the longest of last time first, without a last time the largest.
    return (await super.sort(files)).toSorted((one, other) => place(one) - place(other));
  }
}
